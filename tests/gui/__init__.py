"""The window, driven offscreen on real stores."""
