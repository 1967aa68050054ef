"""Figures for a monitoring system: to this machine itself, or to a person who looks after the work."""

from __future__ import annotations

import ipaddress

from fastapi import APIRouter, Request
from fastapi.responses import Response

from indexer.figures import metrics
from indexer.web.visits import AnyVisit
from pipeline.errors import NotAllowed

OPEN = True
ROUTES = APIRouter(include_in_schema=False)


@ROUTES.get("/metrics")
def page(visit: AnyVisit) -> Response:
    """In the text form of Prometheus; 404 for whoever is neither."""
    is_operator = visit.may("manage_work") and not visit.here.must_change
    if not (is_operator or _is_this_machine(visit.request)):
        raise NotAllowed("Figures are for this machine and for operators", zh="指标仅供本机和运维人员查看")
    return Response(metrics.text(visit.house.standing(), visit.house.counters()), media_type=metrics.CONTENT_TYPE)


def _is_this_machine(request: Request) -> bool:
    """Whether the request was made here. What a proxy passes on comes from this machine and was not made here."""
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via")):
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
