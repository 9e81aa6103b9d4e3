"""Mailboxes: watched over IMAP, journalled raw, understood later."""
