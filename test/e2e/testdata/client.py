"""A worker and a client of Temporal's SDK for Python: hello world, signals, a schedule.

The only argument is the server's address. Prints what came of each.
"""

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
)
from temporalio.worker import Worker

QUEUE = "python"


@activity.defn
async def greet(name: str) -> str:
    return f"hello, {name}"


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(
            greet, name, start_to_close_timeout=timedelta(seconds=10)
        )


@workflow.defn
class Collect:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.seen) == 2)
        return self.seen

    @workflow.signal
    def add(self, value: str) -> None:
        self.seen.append(value)


async def scheduled(client: Client) -> str:
    """Runs a schedule once, at once, and returns what its workflow returned."""
    handle = await client.create_schedule(
        "python-schedule",
        Schedule(
            action=ScheduleActionStartWorkflow(
                Hello.run, "schedule", id="python-scheduled", task_queue=QUEUE
            ),
            spec=ScheduleSpec(),
        ),
        trigger_immediately=True,
    )
    # The end of the test bounds this.
    while not (actions := (await handle.describe()).info.recent_actions):
        await asyncio.sleep(0.05)
    started = actions[0].action
    result = await client.get_workflow_handle(
        started.workflow_id, run_id=started.first_execution_run_id, result_type=str
    ).result()
    await handle.delete()
    return result


async def main() -> None:
    client = await Client.connect(sys.argv[1], namespace="default")
    # Without debug_mode a workflow's task is given up after two seconds, in which a
    # sandbox is to import all of this, again at each attempt.
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Hello, Collect],
        activities=[greet],
        debug_mode=True,
    ):
        print(
            await client.execute_workflow(
                Hello.run, "world", id="python-hello", task_queue=QUEUE
            )
        )
        collect = await client.start_workflow(
            Collect.run, id="python-collect", task_queue=QUEUE
        )
        for value in "a", "b":
            await collect.signal(Collect.add, value)
        print("signalled:", *await collect.result())
        print("scheduled:", await scheduled(client))


if __name__ == "__main__":  # workflows are run in a sandbox, which imports this file
    asyncio.run(main())
