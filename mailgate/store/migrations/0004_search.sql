-- What a person may look for in a held message, a line each: its subject, From, envelope sender
-- and recipient, without regard to case. Rows that are here already know ASCII letters only.
ALTER TABLE held ADD COLUMN words TEXT NOT NULL DEFAULT '';

UPDATE held SET words = (
    SELECT lower(
        subject || char(10) || from_header || char(10)
        || sender_local || '@' || sender_domain || char(10)
    )
    FROM messages WHERE messages.message = held.message
) || lower(recipient_local || '@' || recipient_domain);
