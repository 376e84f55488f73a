SELECT source.country, source.month, source.amount, target.version, target.amount AS current_amount, target.changed_by
FROM (
  SELECT f.country, f.month, f.amount, f.version
  FROM (SELECT explode(from_json(:rows, 'ARRAY<STRUCT<country: STRING, month: STRING, amount: DECIMAL(15, 2), version: BIGINT>>')) AS f)
) AS source
LEFT JOIN main.planning.forecast AS target ON target.country = source.country AND target.month = source.month
WHERE target.changed_by IS NULL OR target.changed_by <> :run
ORDER BY source.country, source.month
