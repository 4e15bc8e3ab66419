"""Every socket to the outside: mail servers, object storage, provider APIs. Knows neither database nor Temporal."""
