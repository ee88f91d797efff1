-- name: waiting_similarities
-- Nothing where the entry or the upload is gone, or all is measured.
SELECT submissions.id AS submission_id, entries.id AS entry_id, ground_truth_version, file_sha256,
       payloads.content AS payload, missing.metrics
  FROM submissions
  JOIN entries ON entries.submission_id = submissions.id AND entries.removed_at IS NULL
  JOIN payloads ON payloads.submission_id = submissions.id
 CROSS JOIN LATERAL (
       SELECT array_agg(metric ORDER BY position) AS metrics
         FROM unnest($2::text[]) WITH ORDINALITY AS wanted (metric, position)
        WHERE NOT EXISTS (
              SELECT FROM similarities s
               WHERE s.entry_id = entries.id AND s.metric = wanted.metric
                 AND s.ground_truth_version = submissions.ground_truth_version
                 AND s.file_sha256 = submissions.file_sha256
                 AND s.similarity_version = $3)) AS missing
 WHERE submissions.id = $1 AND missing.metrics IS NOT NULL

-- name: save_similarity
INSERT INTO similarities (entry_id, metric, value, pairs, distinct_pairs, by_source,
                          ground_truth_version, similarity_version, file_sha256)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9)
    ON CONFLICT (entry_id, metric) DO UPDATE
   SET value = excluded.value, pairs = excluded.pairs, distinct_pairs = excluded.distinct_pairs,
       by_source = excluded.by_source, ground_truth_version = excluded.ground_truth_version,
       similarity_version = excluded.similarity_version, file_sha256 = excluded.file_sha256,
       measured_at = now()

-- name: similarities_wanted
INSERT INTO similarities_due (submission_id) VALUES ($1)
    ON CONFLICT (submission_id) DO UPDATE SET announced_at = now(), failure_code = NULL

-- name: similarities_done
DELETE FROM similarities_due WHERE submission_id = $1

-- name: similarities_failed
UPDATE similarities_due SET failure_code = $2 WHERE submission_id = $1

-- name: announce_similarities_again
WITH late AS (
    SELECT submission_id
      FROM similarities_due
     WHERE failure_code IS NULL AND announced_at < now() - make_interval(secs => $1)
     ORDER BY announced_at
     LIMIT 100
       FOR UPDATE SKIP LOCKED)
UPDATE similarities_due AS due SET announced_at = now()
  FROM late
 WHERE due.submission_id = late.submission_id
RETURNING due.submission_id
