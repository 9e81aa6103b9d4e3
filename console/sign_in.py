"""The pages before the others: sign in, sign out, choose the first password."""

from __future__ import annotations

import math

from flask import Response, abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from console import auth
from console.throttle import Throttle
from core import db
from core.errors import Invalid
from core.logs import logger
from intake.http import client_address
from models.user import User

log = logger(__name__)


def form() -> ResponseReturnValue:
    """Asks who it is."""
    if g.user is not None:
        return redirect(_next(request.args.get("next")), 303)
    return render_template("console/sign_in.html", next=auth.local_path(request.args.get("next")))


def post() -> ResponseReturnValue:
    """Signs in, or says that it does not fit, without saying what."""
    email = request.form.get("email", "").strip().lower()[:320]
    wanted = request.form.get("next")
    throttle: Throttle = current_app.extensions["console.throttle"]
    address = client_address(request.environ)
    wait = throttle.take(address, email)
    if wait is not None:
        log.info("console.throttled", address=address)
        seconds = math.ceil(wait.total_seconds())
        page = render_template("console/throttled.html", minutes=math.ceil(seconds / 60))
        return Response(page, 429, {"Retry-After": str(seconds)}, mimetype="text/html")
    with db.reading() as session:
        user = session.scalars(select(User).where(User.email == email)).one_or_none()
    if not auth.is_password(user, request.form.get("password", "")) or user is None:
        log.info("console.refused", address=address)
        page = render_template("console/sign_in.html", next=auth.local_path(wanted), email=email, wrong=True)
        return Response(page, 422, mimetype="text/html")
    throttle.forget(address, email)
    auth.begin(user)
    log.info("console.signed_in", user_id=user.id)
    return redirect(_next(wanted), 303)


def out() -> ResponseReturnValue:
    """Signs out."""
    auth.end()
    return redirect(url_for("console.sign_in"), 303)


def welcome(token: str) -> ResponseReturnValue:
    """Asks for a first password."""
    with db.reading() as session:
        user = auth.invited(session, token)
    return _welcome_page(user) if user else abort(410, _USED)


def welcome_post(token: str) -> ResponseReturnValue:
    """Sets the first password and signs in."""
    password = request.form.get("password", "")
    with db.unit_of_work() as session:
        user = auth.invited(session, token)
        if user is None:
            abort(410, _USED)
        if password != request.form.get("again", ""):
            return Response(_welcome_page(user, "is not the same twice"), 422, mimetype="text/html")
        try:
            auth.set_password(session, user, password)
        except Invalid as error:
            return Response(_welcome_page(user, error.fields["password"]), 422, mimetype="text/html")
    auth.begin(user)
    log.info("console.welcomed", user_id=user.id)
    return redirect(url_for("console.leads"), 303)


_USED = (
    "It works once, for 24 hours. Start Portaria again for a new one, "
    "or set a password with: portaria user create"
)


def _welcome_page(user: User, wrong: str | None = None) -> str:
    return render_template("console/welcome.html", invited=user, wrong=wrong, shortest=auth.SHORTEST_PASSWORD)


def _next(wanted: str | None) -> str:
    return auth.local_path(wanted) or url_for("console.leads")
