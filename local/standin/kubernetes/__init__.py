"""The stand-in for the Kubernetes plugin: a resource is a server-side apply."""
