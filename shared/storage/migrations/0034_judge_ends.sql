-- When the judge's model ends, from two sources; the earlier one counts.

ALTER TABLE judge_service
    ADD COLUMN ends_set     date,            -- by the setting
    ADD COLUMN ends_listed  date,            -- by the provider's list of models
    ADD COLUMN ends_read_at timestamptz;     -- when that list was read last, or a replica began to
