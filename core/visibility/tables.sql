-- Made from upstream's schema/sqlite/v3/visibility/schema.sql by "go test -run SchemaFollowsUpstream -update".
CREATE TABLE executions_visibility (
  namespace_id            CHAR(64)      NOT NULL,
  run_id                  CHAR(64)      NOT NULL,
  _version                BIGINT        NOT NULL DEFAULT 0,
  start_time              TIMESTAMP     NOT NULL,
  execution_time          TIMESTAMP     NOT NULL,
  workflow_id             VARCHAR(255)  NOT NULL,
  workflow_type_name      VARCHAR(255)  NOT NULL,
  status                  INT           NOT NULL,
  close_time              TIMESTAMP     NULL,
  history_length          BIGINT        NULL,
  history_size_bytes      BIGINT        NULL,
  execution_duration      BIGINT        NULL,
  state_transition_count  BIGINT        NULL,
  memo                    BLOB          NULL,
  encoding                VARCHAR(64)   NOT NULL,
  task_queue              VARCHAR(255)  NOT NULL DEFAULT '',
  search_attributes       TEXT          NULL,
  parent_workflow_id      VARCHAR(255)  NULL,
  parent_run_id           VARCHAR(255)  NULL,
  root_workflow_id        VARCHAR(255)  NOT NULL DEFAULT '',
  root_run_id             VARCHAR(255)  NOT NULL DEFAULT '',


  TemporalChangeVersion         TEXT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalChangeVersion")) STORED,
  BinaryChecksums               TEXT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.BinaryChecksums"))       STORED,
  BatcherUser                   VARCHAR(255)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.BatcherUser")),
  TemporalScheduledStartTime    TIMESTAMP     GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, "$.TemporalScheduledStartTime"))),
  TemporalScheduledById         VARCHAR(255)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalScheduledById")),
  TemporalSchedulePaused        BOOLEAN       GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalSchedulePaused")),
  TemporalNamespaceDivision     VARCHAR(255)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalNamespaceDivision")),
  BuildIds                      TEXT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.BuildIds"))              STORED,
  TemporalPauseInfo             TEXT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalPauseInfo"))     STORED,
  TemporalReportedProblems      TEXT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalReportedProblems")) STORED,
  TemporalWorkerDeploymentVersion VARCHAR(255)        GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalWorkerDeploymentVersion")),
  TemporalWorkflowVersioningBehavior VARCHAR(255)     GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalWorkflowVersioningBehavior")),
  TemporalWorkerDeployment        VARCHAR(255)        GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalWorkerDeployment")),
  TemporalUsedWorkerDeploymentVersions TEXT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalUsedWorkerDeploymentVersions"))              STORED,
  TemporalExternalPayloadSizeBytes BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalExternalPayloadSizeBytes")) STORED,
  TemporalExternalPayloadCount BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalExternalPayloadCount")) STORED,


  Bool01          BOOLEAN         GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Bool01")),
  Bool02          BOOLEAN         GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Bool02")),
  Bool03          BOOLEAN         GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Bool03")),
  Datetime01      TIMESTAMP       GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, "$.Datetime01"))),
  Datetime02      TIMESTAMP       GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, "$.Datetime02"))),
  Datetime03      TIMESTAMP       GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, "$.Datetime03"))),
  Double01        DECIMAL(20, 5)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Double01")),
  Double02        DECIMAL(20, 5)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Double02")),
  Double03        DECIMAL(20, 5)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Double03")),
  Int01           BIGINT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Int01")),
  Int02           BIGINT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Int02")),
  Int03           BIGINT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Int03")),
  Keyword01       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword01")),
  Keyword02       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword02")),
  Keyword03       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword03")),
  Keyword04       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword04")),
  Keyword05       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword05")),
  Keyword06       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword06")),
  Keyword07       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword07")),
  Keyword08       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword08")),
  Keyword09       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword09")),
  Keyword10       VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Keyword10")),
  Text01          TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Text01"))        STORED,
  Text02          TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Text02"))        STORED,
  Text03          TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.Text03"))        STORED,
  KeywordList01   TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.KeywordList01")) STORED,
  KeywordList02   TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.KeywordList02")) STORED,
  KeywordList03   TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.KeywordList03")) STORED,


  TemporalBool01                  BOOLEAN         GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalBool01")),
  TemporalBool02                  BOOLEAN         GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalBool02")),
  TemporalDatetime01              TIMESTAMP       GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, "$.TemporalDatetime01"))),
  TemporalDatetime02              TIMESTAMP       GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, "$.TemporalDatetime02"))),
  TemporalDouble01                DECIMAL(20, 5)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalDouble01")),
  TemporalDouble02                DECIMAL(20, 5)  GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalDouble02")),
  TemporalInt01                   BIGINT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalInt01")),
  TemporalInt02                   BIGINT          GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalInt02")),
  TemporalKeyword01               VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalKeyword01")),
  TemporalKeyword02               VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalKeyword02")),
  TemporalKeyword03               VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalKeyword03")),
  TemporalKeyword04               VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalKeyword04")),
  TemporalLowCardinalityKeyword01 VARCHAR(255)    GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalLowCardinalityKeyword01")),
  TemporalKeywordList01           TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalKeywordList01")) STORED,
  TemporalKeywordList02           TEXT            GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, "$.TemporalKeywordList02")) STORED,
  
  PRIMARY KEY (namespace_id, run_id)
);

CREATE VIRTUAL TABLE executions_visibility_fts_text USING fts5 (
  Text01,
  Text02,
  Text03,
  columnsize=0,
  content='executions_visibility',
  tokenize="unicode61 remove_diacritics 2"
);

CREATE VIRTUAL TABLE executions_visibility_fts_keyword_list USING fts5 (
  TemporalChangeVersion,
  BinaryChecksums,
  BuildIds,
  TemporalPauseInfo,
  TemporalReportedProblems,
  TemporalUsedWorkerDeploymentVersions,
  KeywordList01,
  KeywordList02,
  KeywordList03,
  TemporalKeywordList01,
  TemporalKeywordList02,
  columnsize=0,
  content='executions_visibility',
  tokenize="unicode61 remove_diacritics 0 categories 'C* L* M* N* P* S* Z*' separators '♡'"
);

CREATE TRIGGER executions_visibility_fts_text_ai AFTER INSERT ON executions_visibility
WHEN COALESCE(NEW.Text01, NEW.Text02, NEW.Text03) IS NOT NULL
BEGIN
  INSERT INTO executions_visibility_fts_text (rowid, Text01, Text02, Text03)
  SELECT NEW.rowid, NEW.Text01, NEW.Text02, NEW.Text03;
END;

CREATE TRIGGER executions_visibility_fts_text_ad AFTER DELETE ON executions_visibility
WHEN COALESCE(OLD.Text01, OLD.Text02, OLD.Text03) IS NOT NULL
BEGIN
  INSERT INTO executions_visibility_fts_text (executions_visibility_fts_text, rowid, Text01, Text02, Text03)
  SELECT 'delete', OLD.rowid, OLD.Text01, OLD.Text02, OLD.Text03;
END;

CREATE TRIGGER executions_visibility_fts_text_au AFTER UPDATE ON executions_visibility
WHEN (OLD.Text01, OLD.Text02, OLD.Text03) IS NOT (NEW.Text01, NEW.Text02, NEW.Text03)
BEGIN
  INSERT INTO executions_visibility_fts_text (executions_visibility_fts_text, rowid, Text01, Text02, Text03)
  SELECT 'delete', OLD.rowid, OLD.Text01, OLD.Text02, OLD.Text03
  WHERE COALESCE(OLD.Text01, OLD.Text02, OLD.Text03) IS NOT NULL;
  INSERT INTO executions_visibility_fts_text (rowid, Text01, Text02, Text03)
  SELECT NEW.rowid, NEW.Text01, NEW.Text02, NEW.Text03
  WHERE COALESCE(NEW.Text01, NEW.Text02, NEW.Text03) IS NOT NULL;
END;

CREATE TRIGGER executions_visibility_fts_keyword_list_ai AFTER INSERT ON executions_visibility
WHEN COALESCE(NEW.TemporalChangeVersion, NEW.BinaryChecksums, NEW.BuildIds, NEW.TemporalPauseInfo, NEW.TemporalReportedProblems, NEW.TemporalUsedWorkerDeploymentVersions, NEW.KeywordList01, NEW.KeywordList02, NEW.KeywordList03, NEW.TemporalKeywordList01, NEW.TemporalKeywordList02) IS NOT NULL
BEGIN
  INSERT INTO executions_visibility_fts_keyword_list (rowid, TemporalChangeVersion, BinaryChecksums, BuildIds, TemporalPauseInfo, TemporalReportedProblems, TemporalUsedWorkerDeploymentVersions, KeywordList01, KeywordList02, KeywordList03, TemporalKeywordList01, TemporalKeywordList02)
  SELECT NEW.rowid, NEW.TemporalChangeVersion, NEW.BinaryChecksums, NEW.BuildIds, NEW.TemporalPauseInfo, NEW.TemporalReportedProblems, NEW.TemporalUsedWorkerDeploymentVersions, NEW.KeywordList01, NEW.KeywordList02, NEW.KeywordList03, NEW.TemporalKeywordList01, NEW.TemporalKeywordList02;
END;

CREATE TRIGGER executions_visibility_fts_keyword_list_ad AFTER DELETE ON executions_visibility
WHEN COALESCE(OLD.TemporalChangeVersion, OLD.BinaryChecksums, OLD.BuildIds, OLD.TemporalPauseInfo, OLD.TemporalReportedProblems, OLD.TemporalUsedWorkerDeploymentVersions, OLD.KeywordList01, OLD.KeywordList02, OLD.KeywordList03, OLD.TemporalKeywordList01, OLD.TemporalKeywordList02) IS NOT NULL
BEGIN
  INSERT INTO executions_visibility_fts_keyword_list (executions_visibility_fts_keyword_list, rowid, TemporalChangeVersion, BinaryChecksums, BuildIds, TemporalPauseInfo, TemporalReportedProblems, TemporalUsedWorkerDeploymentVersions, KeywordList01, KeywordList02, KeywordList03, TemporalKeywordList01, TemporalKeywordList02)
  SELECT 'delete', OLD.rowid, OLD.TemporalChangeVersion, OLD.BinaryChecksums, OLD.BuildIds, OLD.TemporalPauseInfo, OLD.TemporalReportedProblems, OLD.TemporalUsedWorkerDeploymentVersions, OLD.KeywordList01, OLD.KeywordList02, OLD.KeywordList03, OLD.TemporalKeywordList01, OLD.TemporalKeywordList02;
END;

CREATE TRIGGER executions_visibility_fts_keyword_list_au AFTER UPDATE ON executions_visibility
WHEN (OLD.TemporalChangeVersion, OLD.BinaryChecksums, OLD.BuildIds, OLD.TemporalPauseInfo, OLD.TemporalReportedProblems, OLD.TemporalUsedWorkerDeploymentVersions, OLD.KeywordList01, OLD.KeywordList02, OLD.KeywordList03, OLD.TemporalKeywordList01, OLD.TemporalKeywordList02) IS NOT (NEW.TemporalChangeVersion, NEW.BinaryChecksums, NEW.BuildIds, NEW.TemporalPauseInfo, NEW.TemporalReportedProblems, NEW.TemporalUsedWorkerDeploymentVersions, NEW.KeywordList01, NEW.KeywordList02, NEW.KeywordList03, NEW.TemporalKeywordList01, NEW.TemporalKeywordList02)
BEGIN
  INSERT INTO executions_visibility_fts_keyword_list (executions_visibility_fts_keyword_list, rowid, TemporalChangeVersion, BinaryChecksums, BuildIds, TemporalPauseInfo, TemporalReportedProblems, TemporalUsedWorkerDeploymentVersions, KeywordList01, KeywordList02, KeywordList03, TemporalKeywordList01, TemporalKeywordList02)
  SELECT 'delete', OLD.rowid, OLD.TemporalChangeVersion, OLD.BinaryChecksums, OLD.BuildIds, OLD.TemporalPauseInfo, OLD.TemporalReportedProblems, OLD.TemporalUsedWorkerDeploymentVersions, OLD.KeywordList01, OLD.KeywordList02, OLD.KeywordList03, OLD.TemporalKeywordList01, OLD.TemporalKeywordList02
  WHERE COALESCE(OLD.TemporalChangeVersion, OLD.BinaryChecksums, OLD.BuildIds, OLD.TemporalPauseInfo, OLD.TemporalReportedProblems, OLD.TemporalUsedWorkerDeploymentVersions, OLD.KeywordList01, OLD.KeywordList02, OLD.KeywordList03, OLD.TemporalKeywordList01, OLD.TemporalKeywordList02) IS NOT NULL;
  INSERT INTO executions_visibility_fts_keyword_list (rowid, TemporalChangeVersion, BinaryChecksums, BuildIds, TemporalPauseInfo, TemporalReportedProblems, TemporalUsedWorkerDeploymentVersions, KeywordList01, KeywordList02, KeywordList03, TemporalKeywordList01, TemporalKeywordList02)
  SELECT NEW.rowid, NEW.TemporalChangeVersion, NEW.BinaryChecksums, NEW.BuildIds, NEW.TemporalPauseInfo, NEW.TemporalReportedProblems, NEW.TemporalUsedWorkerDeploymentVersions, NEW.KeywordList01, NEW.KeywordList02, NEW.KeywordList03, NEW.TemporalKeywordList01, NEW.TemporalKeywordList02
  WHERE COALESCE(NEW.TemporalChangeVersion, NEW.BinaryChecksums, NEW.BuildIds, NEW.TemporalPauseInfo, NEW.TemporalReportedProblems, NEW.TemporalUsedWorkerDeploymentVersions, NEW.KeywordList01, NEW.KeywordList02, NEW.KeywordList03, NEW.TemporalKeywordList01, NEW.TemporalKeywordList02) IS NOT NULL;
END;

