-- A list larger than the need is drawn into replicates; whoever stands in none (0) is in the field from the start. Applications that share people are drawn
-- together, under the first of them.
ALTER TABLE invitation ADD COLUMN replicate BIGINT NOT NULL DEFAULT 0;
ALTER TABLE survey_case ADD COLUMN is_sampled BIGINT NOT NULL DEFAULT 1;
ALTER TABLE campaign ADD COLUMN draw_seed TEXT;
CREATE TABLE replicate (
    campaign_id     BIGINT NOT NULL REFERENCES campaign (id),
    number          BIGINT NOT NULL,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    people          BIGINT NOT NULL,
    released_at     BIGINT,
    review_at         BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, number)
);
CREATE INDEX replicate_held_back ON replicate (review_at) WHERE released_at IS NULL;
