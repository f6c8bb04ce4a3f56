"""The schema's history, applied by `broker.store.migrate`."""
