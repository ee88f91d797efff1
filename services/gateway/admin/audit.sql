-- name: audit_known
-- What the lines can be chosen by.
SELECT ARRAY(SELECT DISTINCT who FROM audit_log ORDER BY 1) AS who,
       ARRAY(SELECT DISTINCT action FROM audit_log ORDER BY 1) AS action,
       ARRAY(SELECT DISTINCT subject_kind FROM audit_log ORDER BY 1) AS subject_kind

-- name: audit_page
-- Newest first; ids rise, so that a page continues where the last ended whatever is added.
SELECT id, at, who, action, subject_kind, subject, before::text AS before, after::text AS after,
       why, request_id
  FROM audit_log
 WHERE ($1::bigint IS NULL OR id < $1)
   AND ($2::text IS NULL OR who = $2)
   AND ($3::text IS NULL OR action = $3)
   AND ($4::text IS NULL OR subject_kind = $4)
   AND ($5::text IS NULL OR subject = $5)
   AND ($6::timestamptz IS NULL OR at >= $6)
   AND ($7::timestamptz IS NULL OR at < $7)
 ORDER BY id DESC
 LIMIT $8
