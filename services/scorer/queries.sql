-- name: waiting_submission
SELECT submissions.id AS submission_id, entries.id AS entry_id, entries.board,
       ground_truth_version, file_sha256, payloads.content AS payload
  FROM submissions
  JOIN entries ON entries.submission_id = submissions.id
  LEFT JOIN payloads ON payloads.submission_id = submissions.id
 WHERE submissions.id = $1 AND state = 'accepted'

-- name: submission_scored
UPDATE submissions SET state = 'scored' WHERE id = $1 AND state = 'accepted'

-- name: submission_failed
UPDATE submissions
   SET state = 'failed', failure_code = $2, failure_reason = $3
 WHERE id = $1 AND state = 'accepted'

-- name: add_score
INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,
                    ground_truth_version, metric_version, file_sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: list_entry
-- A new version of one with judged values waits until it is judged, where there is a judge: the one before
-- keeps its rank. (Whatever ends its judging lists it.)
UPDATE entries SET listed = true
 WHERE id = $1
   AND NOT (pending
            AND EXISTS (SELECT FROM judge_service WHERE judge_version IS NOT NULL)
            AND EXISTS (SELECT FROM scores
                         WHERE entry_id = entries.replaces AND judge_version IS NOT NULL
                           AND compat IS NOT NULL))

-- name: board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1

-- name: remove_entry
-- Frees the name; the row stays as a trace.
UPDATE entries SET removed_at = now() WHERE submission_id = $1

-- name: announce_again
WITH late AS (
    SELECT id
      FROM submissions
     WHERE state = 'accepted' AND announced_at < now() - make_interval(secs => $1)
     ORDER BY announced_at
     LIMIT 100
       FOR UPDATE SKIP LOCKED)
UPDATE submissions SET announced_at = now() FROM late WHERE submissions.id = late.id
RETURNING submissions.id AS submission_id
