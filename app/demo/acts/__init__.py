"""Acts in a portal: calls end, events go out, the app is installed and uninstalled."""
