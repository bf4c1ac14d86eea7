"""What happens in a portal: calls end, events go out, the app comes and goes."""
