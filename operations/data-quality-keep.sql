MERGE INTO main.gold.quality_results AS target
USING (
  SELECT r.check_name, r.bad, r.total, r.share, r.severity
  FROM (SELECT explode(from_json(:results, 'ARRAY<STRUCT<check_name: STRING, bad: BIGINT, total: BIGINT, share: DOUBLE, severity: STRING>>')) AS r)
) AS source
ON target.run_id = :run AND target.check_name = source.check_name
WHEN MATCHED THEN UPDATE SET
  target.bad = source.bad, target.total = source.total, target.share = source.share, target.severity = source.severity
WHEN NOT MATCHED THEN INSERT (check_name, day, bad, total, share, severity, run_id)
  VALUES (source.check_name, CAST(:day AS DATE), source.bad, source.total, source.share, source.severity, :run)
