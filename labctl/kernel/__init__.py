"""The only floor that speaks to the kernel about namespaces, interfaces and routes."""
