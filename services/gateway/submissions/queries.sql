-- name: idempotency_find
SELECT request_sha256, token_salt, submission_id FROM idempotency_keys WHERE key_sha256 = $1

-- name: submission_add
INSERT INTO submissions (id, ground_truth_version, file_sha256, file_bytes, report, contact,
                         owner_token_sha256, key_id)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8)

-- name: idempotency_add
-- Comes before the entry: a rival with the same key waits here, and is then answered as a repeat
-- instead of being refused because its own name is taken.
INSERT INTO idempotency_keys (key_sha256, request_sha256, token_salt, submission_id)
VALUES ($1, $2, $3, $4)

-- name: entry_add
INSERT INTO entries (id, board, model_name, name_key, organization, team, authors, model_url, track,
                     submission_id, submitted_on, listed, version, replaces, pending, hypothetical,
                     badges, facts_held)
VALUES ($1, 'community', $2,
        -- Who has no right to a name on the board (yet) gets a key that no name has.
        CASE WHEN $11::uuid IS NOT NULL OR $12 THEN E'\x1f' || $1::uuid::text ELSE $3 END,
        $4, $5, $6, $7, $8, $9, (now() AT TIME ZONE 'UTC')::date, false, $10, $11,
        $11::uuid IS NOT NULL, $12, $13, $14)

-- name: identity_of_key
-- It stays as it is until the entry is there, so that a change of the name finds that.
SELECT provider, name, name_shown FROM identities WHERE key_id = $1 FOR SHARE

-- name: name_taken
SELECT EXISTS (
       SELECT FROM entries WHERE board = 'community' AND name_key = $1 AND removed_at IS NULL)

-- name: payload_add
INSERT INTO payloads (submission_id, content) VALUES ($1, $2)

-- name: payload_find
SELECT content FROM payloads WHERE submission_id = $1

-- name: submission_find
SELECT s.id, s.state, s.owner_token_sha256, s.report::text AS report, s.failure_code,
       s.failure_reason, s.file_sha256, s.file_bytes, s.ground_truth_version, s.created_at, s.key_id,
       (SELECT scopes FROM api_keys WHERE api_keys.id = s.key_id) AS key_scopes,
       s.withdrawn_by, s.withdrawal_note,
       e.id AS entry_id, e.board, e.model_name, e.organization, e.track, e.removed_at, e.version, e.pending,
       e.hypothetical, e.facts::text AS facts, e.facts_held,
       (SELECT submission_id FROM entries WHERE entries.id = e.replaces) AS replaces,
       (SELECT submission_id
          FROM entries
         WHERE entries.replaces = e.id AND listed
         ORDER BY version DESC
         LIMIT 1) AS replaced_by,
       (SELECT jsonb_object_agg(metric, jsonb_build_object(
                   'value', value, 'pairs', pairs, 'distinct_pairs', distinct_pairs,
                   'by_source', by_source))
          FROM similarities
         WHERE similarities.entry_id = e.id)::text AS similarities
  FROM submissions s
  LEFT JOIN entries e ON e.submission_id = s.id
 WHERE s.id = $1

-- name: submission_timeline
-- Each kind by its position, which is the order in which things happened: a time was once that of a
-- transaction's beginning. Between the kinds a step comes no earlier than those before it.
SELECT kind, state, reason, at
  FROM (SELECT 'submission' AS kind, state, NULL AS reason, at, position,
               max(at) OVER (ORDER BY position) AS reached
          FROM submission_history
         WHERE submission_id = $1
         UNION ALL
        SELECT kind, data ->> 'state', data ->> 'reason', at, id, max(at) OVER (ORDER BY id)
          FROM submission_events
         WHERE submission_id = $1 AND kind = 'judging') AS steps
 ORDER BY reached, kind DESC, position

-- name: hypothetical_ranks
-- Not those of versions before, whose values are exact: the ranker makes them anew.
SELECT scoring, entries, content::text AS content, ranked_at
  FROM hypothetical_ranks
 WHERE entry_id = $1 AND content ? 'steps'
 ORDER BY scoring

-- name: submissions_ahead
-- Served by the partial index of unfinished submissions.
SELECT count(*) FROM submissions WHERE state = 'accepted' AND changed_at < $1

-- name: events_newest
-- One probe of the primary key for each submission, however many events it has.
SELECT s.id AS submission_id, e.id AS newest
  FROM unnest($1::uuid[]) AS s (id)
  JOIN LATERAL (
       SELECT id FROM submission_events WHERE submission_id = s.id ORDER BY id DESC LIMIT 1
       ) AS e ON true

-- name: events_after
-- Counts of items tell how many captions matched: of what is only evaluated nobody gets them.
SELECT id, kind, at,
       CASE WHEN EXISTS (SELECT FROM entries WHERE entries.submission_id = $1 AND hypothetical)
            THEN data - '{items,items_done,items_cached,items_unscored}'::text[]
            ELSE data END::text AS data
  FROM submission_events
 WHERE submission_id = $1 AND id > $2
 ORDER BY id
 LIMIT $3
