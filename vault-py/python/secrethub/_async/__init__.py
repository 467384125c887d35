"""The asynchronous classes. Their synchronous twins in `_sync` are made from these by `twins.py`."""
