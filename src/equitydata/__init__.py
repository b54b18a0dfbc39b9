"""Health equity from a service extract."""
