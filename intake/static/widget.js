(function (form) {
  "use strict";
  var script = document.currentScript, store = "portaria." + form.key, day = 864e5;
  var CLICKS = /^(utm_\w+|gclid|gbraid|wbraid|fbclid|msclkid|ttclid|twclid|li_fat_id)$/;
  function kept(name, value) { // what is kept in the visitor's browser; some browsers keep nothing
    try {
      var key = store + "." + name;
      if (value === undefined) return JSON.parse(localStorage.getItem(key));
      if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, JSON.stringify(value));
    } catch (_) { return null; }
  }
  function make(tag, given, inside) {
    var node = document.createElement(tag);
    Object.keys(given || {}).forEach(function (name) {
      if (name === "text") node.textContent = given.text;
      else if (given[name] === true) node.setAttribute(name, "");
      else if (given[name]) node.setAttribute(name, given[name]);
    });
    (inside || []).forEach(function (child) { if (child) node.appendChild(child); });
    return node;
  }
  function touch() { // where this visit comes from
    var found = {page_url: location.href, referrer: document.referrer, landing_page: location.origin + location.pathname};
    new URLSearchParams(location.search).forEach(function (value, name) { if (CLICKS.test(name)) found[name] = value; });
    return found;
  }
  var first = kept("first");
  if (!first || Date.now() - Date.parse(first.at) > 90 * day) {
    first = touch();
    first.at = new Date().toISOString();
    kept("first", first);
  }
  // In pixels: the host page may have any size for its root.
  var STYLE = ":host{all:initial;display:block}.box{color-scheme:light dark;--ink:#1d2433;--paper:#fff;--line:#8a93a6;--accent:#1f5fbf;--wrong:#b3261e;font:16px/1.5 system-ui,sans-serif;color:var(--ink);text-align:left}" +
    "@media(prefers-color-scheme:dark){.box{--ink:#e8ebf2;--paper:#171b24;--line:#7d879c;--accent:#8ab4f8;--wrong:#ff8a80}}" +
    "*{box-sizing:border-box}form,.sent{background:var(--paper);max-width:544px;padding:20px;border-radius:9.6px}h2{margin:0 0 12px;font-size:21.6px;line-height:1.25}p{margin:0 0 16px}" +
    "label,legend{display:block;margin-bottom:4px;font-weight:600}input,textarea,select{width:100%;padding:9.6px 11.2px;border:1px solid var(--line);border-radius:6.4px;background:var(--paper);color:inherit;font:inherit}" +
    ".check{display:flex;gap:9.6px;align-items:flex-start;font-weight:400}.check input{flex:none;width:18.4px;height:18.4px;margin:3.2px 0 0}fieldset{border:0;padding:0;margin:0 0 16px}" +
    ".help,.error{display:block;margin-top:4px;font-size:14.4px}.error,.notice{color:var(--wrong)}[aria-invalid=true]{border-color:var(--wrong)}.away{position:absolute;left:-200vw}" +
    "button{padding:10.4px 22.4px;border:0;border-radius:6.4px;background:var(--accent);color:var(--paper);font:inherit;font-weight:600;cursor:pointer}button[disabled]{opacity:.6;cursor:default}" +
    ":focus-visible{outline:3px solid var(--accent);outline-offset:2px}dialog{border:0;padding:0;border-radius:9.6px;max-width:min(576px,calc(100vw - 32px));width:100%;max-height:calc(100vh - 32px);background:var(--paper);color:inherit}dialog::backdrop{background:rgba(0,0,0,.5)}" +
    ".close{float:right;margin:9.6px 9.6px 0 0;padding:3.2px 9.6px;background:none;color:inherit;font-size:20.8px;line-height:1}";
  var TYPES = {email: "email", phone: "tel", date: "date", file: "file", checkbox: "checkbox", consent: "checkbox"};
  // What the host page forces upon our element ends at the box within.
  var host = make("div"), root = host.attachShadow({mode: "open"}), box = make("div", {class: "box"}), inputs = {}, errors = {};
  var status = make("p", {role: "status", "aria-live": "polite"}), button = make("button", {type: "submit", text: form.button});
  var trap = make("input", {name: form.honeypot, tabindex: "-1", autocomplete: "off"});
  function field(f, n) {
    var id = "f" + n, help = f.help && make("span", {class: "help", id: id + "h", text: f.help});
    var error = errors[f.name] = make("span", {class: "error", id: id + "e"});
    var about = {id: id, name: f.name, required: f.required, "aria-describedby": (help ? id + "h " : "") + id + "e",
      maxlength: f.maxlength, autocomplete: f.autocomplete, accept: f.accept};
    var label = f.label + (f.required ? " *" : ""), input;
    if (f.type === "hidden") return (inputs[f.name] = [make("input", {type: "hidden", name: f.name})])[0];
    if (f.type === "multiselect") {
      inputs[f.name] = f.choices.map(function (c) { return make("input", {type: "checkbox", name: f.name, value: c}); });
      return make("fieldset", {}, [make("legend", {text: label})].concat(inputs[f.name].map(function (box) {
        return make("label", {class: "check"}, [box, make("span", {text: box.value})]);
      }), [help, error]));
    }
    if (f.type === "textarea") input = make("textarea", Object.assign({rows: "5"}, about));
    else if (f.type === "select") input = make("select", about, [make("option", {text: form.say.choose})].concat(
      f.choices.map(function (c) { return make("option", {text: c, value: c}); })));
    else input = make("input", Object.assign({type: TYPES[f.type] || "text", inputmode: f.type === "number" && "decimal"}, about));
    if (f.type === "select") input.firstChild.value = "";
    inputs[f.name] = [input];
    if (input.type === "checkbox") return make("p", {}, [make("label", {class: "check"}, [input, make("span", {text: label})]), help, error]);
    return make("p", {}, [make("label", {for: id, text: label}), input, help, error]);
  }
  var body = make("form", {novalidate: true}, [make("h2", {text: form.title}), form.intro && make("p", {text: form.intro})].concat(
    form.fields.map(field), [form.captcha && make("p", {}, [make("slot", {name: "captcha"})]), make("p", {class: "away", "aria-hidden": "true"}, [make("label", {text: form.say.leave_empty}), trap]), status, make("p", {}, [button])]));
  root.append(make("style", {text: STYLE}), box);
  var target = script && script.dataset.target && document.querySelector(script.dataset.target), opener = script && script.dataset.button;
  if (opener) {
    var open = make("button", {type: "button", text: opener}), close = make("button", {type: "button", class: "close", "aria-label": form.say.close, text: "×"});
    var dialog = make("dialog", {"aria-label": form.title}, [close, body]);
    open.onclick = function () { dialog.showModal(); begin(); }; // traps the focus, closes with Escape, and gives it back
    close.onclick = function () { dialog.close(); };
    box.append(open, dialog);
  } else box.appendChild(body);
  function place() {
    if (target) target.appendChild(host);
    else if (script && script.parentNode && script.parentNode !== document.head) script.after(host);
    else document.body.appendChild(host);
  }
  if (document.body) place(); else addEventListener("DOMContentLoaded", place);

  function values() {
    var found = {};
    form.fields.forEach(function (f) {
      var own = inputs[f.name];
      if (f.type === "file") return;
      if (f.type === "multiselect") found[f.name] = own.filter(function (b) { return b.checked; }).map(function (b) { return b.value; });
      else if (own[0].type === "checkbox") { if (own[0].checked) found[f.name] = "on"; }
      else if (own[0].value) found[f.name] = own[0].value;
    });
    return found;
  }
  function restore(said) {
    form.fields.forEach(function (f) {
      var value = said[f.name];
      if (value === undefined || f.type === "hidden" || f.type === "consent" || f.type === "file") return;
      inputs[f.name].forEach(function (input) {
        if (input.type === "checkbox") input.checked = Array.isArray(value) ? value.indexOf(input.value) >= 0 : true;
        else input.value = value;
      });
    });
  }
  var started = null, busy = false, timer = null, proof = {};
  function prove() { // in the host page: a captcha's service cannot look into our own part of it
    if (!form.captcha || proof.place) return;
    var name = "portaria_" + newKey().replace(/-/g, "");
    proof.place = host.appendChild(make("div", {slot: "captcha"}));
    window[name] = function () {
      proof.of = window[form.captcha.api];
      proof.id = proof.of.render(proof.place, {sitekey: form.captcha.site_key,
        callback: function (answer) { proof.answer = answer; }, "expired-callback": function () { proof.answer = ""; }});
    };
    document.head.appendChild(make("script", {src: form.captcha.script + "?render=explicit&onload=" + name, async: true}));
  }
  function begin() { // the mark of this page, and where the form asks for one a riddle
    prove();
    started = started || fetch(form.address + "/start").then(function (answer) { return answer.json(); }).catch(function () { started = null; return {}; });
    return started;
  }
  function hex(buffer) { return Array.from(new Uint8Array(buffer), function (b) { return b.toString(16).padStart(2, "0"); }).join(""); }
  async function solve(riddle) {
    if (!riddle || !window.crypto || !crypto.subtle) return "";
    var coder = new TextEncoder();
    for (var n = 0; n <= riddle.maxnumber; n++) {
      if (hex(await crypto.subtle.digest(riddle.algorithm, coder.encode(riddle.salt + n))) === riddle.challenge)
        return btoa(JSON.stringify({algorithm: riddle.algorithm, challenge: riddle.challenge, number: n, salt: riddle.salt, signature: riddle.signature}));
    }
    return "";
  }
  function newKey() { return window.crypto && crypto.randomUUID ? crypto.randomUUID() : Date.now() + "-" + Math.random().toString(36).slice(2); }
  async function prepared() { // one submission, with the key by which it is known however often it is sent
    var told = await begin(), sent = Object.assign(touch(), values(), {first_touch: JSON.stringify(first)});
    if (told[form.mark]) sent[form.mark] = told[form.mark];
    if (told.altcha) sent.altcha = await solve(told.altcha);
    if (proof.answer) sent[form.captcha.field] = proof.answer;
    if (trap.value) sent[form.honeypot] = trap.value;
    return {key: newKey(), values: sent, since: Date.now()};
  }
  function files() {
    return form.fields.filter(function (f) { return f.type === "file" && inputs[f.name][0].files.length; });
  }
  function packed(pending) {
    if (!files().length) return {body: JSON.stringify(pending.values), headers: {"Content-Type": "application/json"}};
    var data = new FormData();
    Object.keys(pending.values).forEach(function (name) { [].concat(pending.values[name]).forEach(function (v) { data.append(name, v); }); });
    files().forEach(function (f) { Array.from(inputs[f.name][0].files).forEach(function (file) { data.append(f.name, file); }); });
    return {body: data, headers: {}};
  }
  function say(text, wrong) { status.textContent = text; status.className = wrong ? "notice" : ""; }
  function idle() { busy = false; button.disabled = false; button.textContent = form.button; }
  async function send(pending, tries) {
    clearTimeout(timer);
    var pack = packed(pending), answer = null;
    try {
      answer = await fetch(form.address, {method: "POST", body: pack.body, headers: Object.assign({Accept: "application/json", "Idempotency-Key": pending.key}, pack.headers)});
    } catch (_) { /* no connection: tried again below */ }
    if (!answer || answer.status >= 500 || answer.status === 429) {
      say(form.say.waiting);
      timer = setTimeout(function () { send(pending, tries + 1); }, Math.min(30, Math.pow(2, tries)) * 1000);
      addEventListener("online", function () { if (busy) send(pending, 0); }, {once: true});
      return;
    }
    kept("pending", null);
    if (answer.ok) return sent(await answer.json().catch(function () { return {}; }));
    idle();
    started = null;
    if (proof.of) { proof.of.reset(proof.id); proof.answer = ""; } // each answer is good once
    var told = answer.status === 422 ? await answer.json().catch(function () { return {}; }) : {};
    (told.errors || []).forEach(function (e) {
      if (!errors[e.field]) return;
      errors[e.field].textContent = e.detail;
      inputs[e.field].forEach(function (input) { input.setAttribute("aria-invalid", "true"); });
    });
    say(told.errors ? form.say.look_again : form.say.not_sent, true);
    var wrong = root.querySelector("[aria-invalid]");
    if (wrong) wrong.focus();
  }
  function sent(told) {
    kept("draft", null);
    host.dispatchEvent(new CustomEvent("portaria:sent", {bubbles: true, composed: true, detail: {event_id: told.event_id}}));
    if (form.redirect) { location.assign(form.redirect); return; }
    var thanks = make("div", {class: "sent", tabindex: "-1", role: "status"}, [make("h2", {text: form.say.thanks}), make("p", {text: form.thanks})]);
    body.replaceWith(thanks);
    thanks.focus();
  }
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    busy = button.disabled = true;
    button.textContent = form.say.sending;
    say("");
    root.querySelectorAll("[aria-invalid]").forEach(function (input) { input.removeAttribute("aria-invalid"); });
    Object.keys(errors).forEach(function (name) { errors[name].textContent = ""; });
    var pending = await prepared();
    if (!files().length) kept("pending", pending); // a page that is loaded again goes on with it
    send(pending, 0);
  }
  body.addEventListener("submit", submit);
  body.addEventListener("focusin", begin);
  body.addEventListener("input", function () { kept("draft", values()); });
  restore(kept("draft") || {});
  var left = kept("pending");
  if (left && left.key && Date.now() - left.since < day) {
    restore(left.values);
    busy = button.disabled = true;
    send(left, 0);
  }
})(/*FORM*/ null);
