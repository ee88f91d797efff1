-- name: identity_lock
-- One sign-in of a person at a time, on all gateways: a first one makes one account.
SELECT pg_advisory_xact_lock(hashtextextended($1, 5))

-- name: identity_find
SELECT i.key_id, i.issuer, i.subject, i.provider, i.name, i.name_shown, k.revoked_at
  FROM identities i
  JOIN api_keys k ON k.id = i.key_id
 WHERE i.issuer = $1 AND i.subject = $2
   FOR NO KEY UPDATE OF i

-- name: account_add
INSERT INTO api_keys (id, label, owner, key_sha256, scopes, created_by)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: identity_add
INSERT INTO identities (key_id, issuer, subject, provider, name) VALUES ($1, $2, $3, $4, $5)

-- name: identity_seen
UPDATE identities SET provider = $2, name = $3, signed_in_at = now() WHERE key_id = $1

-- name: name_of_others
-- Of a name that somebody has now, those who had it: they have another by now.
UPDATE identities SET name_shown = false
 WHERE issuer = $1 AND lower(name) = lower($2) AND key_id <> $3
RETURNING key_id

-- name: account_named
UPDATE api_keys SET owner = $2 WHERE id = $1

-- name: browser_add
-- Nothing where the attempt has opened a session before.
INSERT INTO sign_ins (token_sha256, key_id, kind, label, attempt_sha256, by_claim, claims_sha256, expires_at)
VALUES ($1, $2, 'browser', $3, $4, $5::bytea IS NOT NULL, $5, now() + make_interval(secs => $6))
ON CONFLICT (attempt_sha256) DO NOTHING
RETURNING id

-- name: browsers_trim
UPDATE sign_ins SET expires_at = now()
 WHERE id IN (SELECT id FROM sign_ins
               WHERE key_id = $1 AND kind = 'browser' AND expires_at > now()
               ORDER BY created_at DESC, id OFFSET $2)

-- name: program_add
INSERT INTO sign_ins (token_sha256, key_id, kind, label) VALUES ($1, $2, 'program', $3) RETURNING id

-- name: programs_count
SELECT count(*) FROM sign_ins WHERE key_id = $1 AND kind = 'program'

-- name: session_find
SELECT s.key_id, i.issuer, i.subject, i.provider, i.name, i.name_shown, s.claims_sha256, s.created_at, s.expires_at
  FROM sign_ins s
  JOIN identities i USING (key_id)
  JOIN api_keys k ON k.id = s.key_id
 WHERE s.token_sha256 = $1 AND s.kind = 'browser' AND s.expires_at > now() AND k.revoked_at IS NULL

-- name: sign_ins_of
SELECT id, kind, label, created_at, last_used_at, expires_at, token_sha256 = $2 AS here
  FROM sign_ins
 WHERE key_id = $1 AND coalesce(expires_at, 'infinity') > now()
 ORDER BY created_at DESC, id

-- name: browser_end
-- The row stays for a while: its attempt must open no other session.
UPDATE sign_ins SET expires_at = now() WHERE token_sha256 = $1 AND kind = 'browser' AND expires_at > now()

-- name: program_end
DELETE FROM sign_ins WHERE token_sha256 = $1 AND kind = 'program' RETURNING key_id

-- name: sign_in_end
WITH programs AS (DELETE FROM sign_ins WHERE id = $2 AND key_id = $1 AND kind = 'program')
UPDATE sign_ins SET expires_at = now() WHERE id = $2 AND key_id = $1 AND kind = 'browser' AND expires_at > now()

-- name: name_lock
SELECT provider, name, name_shown, coalesce(shown_at, '-infinity') > now() - make_interval(secs => $2) AS shown_lately
  FROM identities
 WHERE key_id = $1
   FOR NO KEY UPDATE

-- name: name_given_up
-- Whether somebody else has the account's name by now.
SELECT EXISTS (SELECT FROM identities i
                 JOIN identities other ON other.issuer = i.issuer AND lower(other.name) = lower(i.name)
                WHERE i.key_id = $1 AND other.key_id <> $1 AND other.signed_in_at > i.signed_in_at)

-- name: name_show
UPDATE identities SET name_shown = $2, shown_at = CASE WHEN $2 THEN now() ELSE shown_at END WHERE key_id = $1

-- name: entries_mark
-- $2 is the account's mark now, $3 the one of nobody named; marks with a name begin as $4 says.
UPDATE entries e
   SET badges = ARRAY(SELECT CASE WHEN each.badge = $3 OR starts_with(each.badge, $4) THEN $2 ELSE each.badge END
                        FROM unnest(e.badges) WITH ORDINALITY AS each (badge, place)
                       ORDER BY each.place)
  FROM submissions s
 WHERE s.id = e.submission_id AND s.key_id = $1
   AND EXISTS (SELECT FROM unnest(e.badges) AS badge
                WHERE badge <> $2 AND (badge = $3 OR starts_with(badge, $4)))
RETURNING e.board

-- name: board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1

-- name: sign_ins_forget
DELETE FROM sign_ins WHERE expires_at < now() - interval '1 hour'
