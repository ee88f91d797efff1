-- name: judge_in_force
SELECT s.judge_version, s.off_reason, v.is_stub, v.facts ->> 'model' AS model,
       CASE WHEN s.judge_version IS NOT NULL THEN least(s.ends_set, s.ends_listed) END AS ends
  FROM judge_service s
  LEFT JOIN judge_versions v ON v.hash = s.judge_version

-- name: tokens_measured
-- Of the newest verdicts of all judges, by the index of those that have a reply: a bound on the work.
SELECT count(*) AS verdicts,
       coalesce(sum(prompt_tokens), 0)::bigint AS prompt,
       coalesce(sum(completion_tokens), 0)::bigint AS completion,
       coalesce(sum(cached_tokens), 0)::bigint AS cached,
       coalesce(sum(reasoning_tokens), 0)::bigint AS reasoning,
       coalesce(sum(octet_length(prediction) + octet_length(reference)), 0)::bigint AS text_bytes,
       (avg(latency_ms) FILTER (WHERE latency_ms > 0) / 1000)::float8 AS seconds
  FROM (SELECT *
          FROM judge_verdicts
         WHERE raw_reply IS NOT NULL
         ORDER BY judged_at DESC
         LIMIT 2000) AS newest
  JOIN judge_pairs ON sha256 = pair
 WHERE judge_version = $1 AND prompt_tokens > 0
