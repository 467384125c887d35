"""The synchronous classes; `twins.py` makes them."""
