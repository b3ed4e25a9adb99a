"""The demo: scans to try MMGL on without having any."""
