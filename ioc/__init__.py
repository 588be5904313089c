"""The shared room: settings, warehouse, the local stack and the ``ioc`` command."""
