"""The routes of `/v1` by audience: portal, staff, engineering, gateways, sessions, operations."""
