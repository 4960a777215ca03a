"""What the service can be asked, for programs: an OpenAPI document, written by hand as data."""

from __future__ import annotations
