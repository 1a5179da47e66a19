-- When a rejected version, and a delivery that was given up, were told to whoever is responsible.
ALTER TABLE verdict ADD COLUMN notified_at BIGINT;
ALTER TABLE delivery ADD COLUMN notified_at BIGINT;
