-- A further table of datasets: how, when and by whom each answer was entered.
ALTER TABLE frozen_block DROP CONSTRAINT frozen_block_table_name_check;
ALTER TABLE frozen_block ADD CONSTRAINT frozen_block_table_name_check
    CHECK (table_name IN ('responses', 'cases', 'paradata', 'answers'));
