-- name: audit_add
INSERT INTO audit_log (who, action, subject_kind, subject, before, after, why, request_id)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb, $7, $8)
RETURNING id
