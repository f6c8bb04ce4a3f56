"""Spreadsheets of all makers: checked before they are opened, and read as they are stored."""
