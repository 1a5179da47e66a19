-- Answers to calls take their time by another law than answers to messages.
ALTER TABLE response_delay RENAME TO response_delay_of_messages;
CREATE TABLE response_delay (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    mode            TEXT NOT NULL,
    bin             BIGINT NOT NULL,
    completes       DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (application_id, mode, bin)
);
INSERT INTO response_delay (application_id, mode, bin, completes) SELECT application_id, 'sms', bin, completes FROM response_delay_of_messages;
DROP TABLE response_delay_of_messages;
