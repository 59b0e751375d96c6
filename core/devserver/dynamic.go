package devserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/server/chasm/lib/activity"
	"go.temporal.io/server/common/dynamicconfig"
)

// defaults of the dynamic configuration are those of upstream's development server,
// and what keeps this one from waiting for itself.
func defaults() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// A shard asks its queues for tasks at most so many times a second. With the
		// 20 of a cluster, a workflow task alone on its shard waits 50 ms for its turn.
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   2000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      2000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 2000,
		dynamicconfig.OutboundProcessorMaxPollRPS.Key():   2000,

		// Limits that protect a database shared by many.
		dynamicconfig.FrontendPersistenceMaxQPS.Key(): 10_000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():  45_000,
		dynamicconfig.MatchingPersistenceMaxQPS.Key(): 15_000,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():   2500,

		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                 8096,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,

		// What somebody makes can be used at once.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.ForceNexusEndpointRefreshOnRead.Key():         true,

		activity.EnableStandaloneActivityOperatorCommands.Key():                  true,
		dynamicconfig.FrontendEnableBatchOperationsForStandaloneActivities.Key(): true,
	}
}

// dynamicFlags reads KEY=VALUE, values in JSON. Keys that no part of the server
// asks for and values that it would not take are errors: the server itself would
// go on with its default.
func dynamicFlags(settings []string) (dynamicconfig.ConfigValueMap, error) {
	loader := dynamicconfig.YamlLoader{Map: dynamicconfig.ConfigValueMap{}}
	for _, text := range settings {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--dynamic-config-value %q: write it as KEY=VALUE", text)
		}
		if !json.Valid([]byte(value)) {
			return nil, fmt.Errorf("--dynamic-config-value %s: %s is not JSON: write text in quotes, as in KEY='\"text\"'", name, value)
		}
		loader.LoadValue(dynamicconfig.MakeKey(name), []byte(`[{"value": `+value+`}]`)) // JSON is YAML
		if err := errors.Join(append(loader.Errors, loader.Warnings...)...); err != nil {
			return nil, fmt.Errorf("--dynamic-config-value %s: %w", name, err)
		}
	}
	return loader.Map, nil
}

// dynamic answers from the flags, else from the file that the configuration names
// (dynamicConfigClient.filepath), else from the defaults.
type dynamic struct {
	flags    dynamicconfig.ConfigValueMap
	file     *dynamicconfig.FileBasedClient // nil without one
	defaults dynamicconfig.StaticClient
}

// GetValue implements dynamicconfig.Client.
func (d *dynamic) GetValue(key dynamicconfig.Key) []dynamicconfig.ConstrainedValue {
	if values := d.flags[key]; len(values) > 0 {
		return values
	}
	if d.file != nil {
		if values := d.file.GetValue(key); len(values) > 0 {
			return values
		}
	}
	return d.defaults.GetValue(key)
}

// Subscribe implements dynamicconfig.NotifyingClient: the file alone changes.
func (d *dynamic) Subscribe(update dynamicconfig.ClientUpdateFunc) (cancel func()) {
	if d.file == nil {
		return func() {}
	}
	return d.file.Subscribe(func(changed map[dynamicconfig.Key][]dynamicconfig.ConstrainedValue) {
		seen := make(map[dynamicconfig.Key][]dynamicconfig.ConstrainedValue, len(changed))
		for key := range changed {
			seen[key] = d.GetValue(key)
		}
		update(seen)
	})
}
