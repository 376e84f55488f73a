MERGE INTO main.planning.forecast AS target
USING (
  SELECT f.country, f.month, f.amount, f.version
  FROM (SELECT explode(from_json(:rows, 'ARRAY<STRUCT<country: STRING, month: STRING, amount: DECIMAL(15, 2), version: BIGINT>>')) AS f)
) AS source
ON target.country = source.country AND target.month = source.month
WHEN MATCHED AND target.version = source.version THEN UPDATE SET
  target.amount = source.amount, target.version = target.version + 1, target.changed_by = :run
