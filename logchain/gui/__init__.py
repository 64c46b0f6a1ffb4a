"""The window: a front end of the logchain commands, in PySide6. It opens no store itself."""
