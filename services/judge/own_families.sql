-- name: results_of_other_bases
-- Results whose entry's base model is not the one that their judges were compared with.
SELECT r.run_id, r.submission_id
  FROM judge_results r
  JOIN entries e ON e.submission_id = r.submission_id
 WHERE (e.facts ? 'base_model' OR r.facts ? 'base_model')
   AND e.facts ->> 'base_model' IS DISTINCT FROM r.facts ->> 'base_model'
 ORDER BY r.completed_at
 LIMIT 100

-- name: result_compared
-- `in_force`: the entry's scores are its values.
SELECT e.id AS entry_id, e.board, e.listed, e.badges, e.model_name, e.facts ->> 'base_model' AS base_model, r.judge_version,
       EXISTS (SELECT FROM scores WHERE entry_id = e.id AND scores.judge_version = r.judge_version) AS in_force
  FROM judge_results r
  JOIN entries e ON e.submission_id = r.submission_id
 WHERE r.run_id = $1

-- name: result_compare
UPDATE judge_results SET facts = facts - '{own_family,base_model}'::text[] || $2::text::jsonb WHERE run_id = $1
