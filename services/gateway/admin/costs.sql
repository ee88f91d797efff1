-- name: costs
-- Lines of $1 ('run', 'submission', 'judge', 'endpoint', 'day') with what was spent and estimated on the days from $2
-- to $3, and the sums of all lines. What a run was charged besides its costs, by replicas of the version before
-- them, counts on the day of its last charge. An estimate is of no endpoint.
WITH recorded AS (
    SELECT run_id, sum(spent_microusd) AS spent_microusd FROM judge_costs GROUP BY run_id
), charged AS (
    SELECT run_id, judge_version, endpoint, day, spent_microusd AS spent, NULL::bigint AS estimated
      FROM judge_costs
     UNION ALL
    SELECT charge.run_id, r.judge_version, NULL, charge.day,
           charge.spent_microusd - coalesce(recorded.spent_microusd, 0), NULL
      FROM (SELECT substr(scope, 5)::uuid AS run_id, spent_microusd,
                   (changed_at AT TIME ZONE 'UTC')::date AS day
              FROM judge_spending
             WHERE scope LIKE 'run:%') AS charge
      LEFT JOIN recorded USING (run_id)
      LEFT JOIN judge_runs r ON r.id = charge.run_id
     WHERE charge.spent_microusd > coalesce(recorded.spent_microusd, 0)
     UNION ALL
    SELECT run_id, judge_version, NULL, day, NULL, microusd FROM judge_estimates WHERE $1 <> 'endpoint'
), lines AS (
    SELECT coalesce(CASE $1::text WHEN 'run' THEN c.run_id::text
                                  WHEN 'submission' THEN r.submission_id::text
                                  WHEN 'judge' THEN c.judge_version
                                  WHEN 'endpoint' THEN c.endpoint
                                  ELSE c.day::text END, 'unknown') AS name,
           CASE $1 WHEN 'judge' THEN max(v.facts ->> 'model')
                   WHEN 'run' THEN max(e.model_name)
                   WHEN 'submission' THEN max(e.model_name) END AS model,
           coalesce(sum(c.spent), 0)::bigint AS spent, sum(c.estimated)::bigint AS estimated,
           count(DISTINCT c.run_id) AS runs, min(c.day) AS first_day, max(c.day) AS last_day
      FROM charged c
      LEFT JOIN judge_runs r ON r.id = c.run_id
      LEFT JOIN judge_versions v ON v.hash = c.judge_version
      LEFT JOIN LATERAL (SELECT model_name FROM entries
                          WHERE submission_id = r.submission_id LIMIT 1) AS e ON true
     WHERE ($2::date IS NULL OR c.day >= $2) AND ($3::date IS NULL OR c.day <= $3)
     GROUP BY 1
)
SELECT *, count(*) OVER () AS total, (sum(spent) OVER ())::bigint AS all_spent,
       (sum(estimated) OVER ())::bigint AS all_estimated
  FROM lines
 ORDER BY last_day DESC, spent DESC, name
 LIMIT $4 OFFSET $5

-- name: set_aside
-- By replicas, for calls under way: counts against the caps until it is settled.
SELECT coalesce(sum(reserved_microusd), 0)::bigint
  FROM judge_spending_leases
 WHERE expires_at > clock_timestamp()
