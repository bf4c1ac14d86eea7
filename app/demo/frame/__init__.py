"""The portal's own pages around the app's frame."""
