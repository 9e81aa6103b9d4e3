"""Where anybody gets an e-mail address for nothing: such a domain names no company. Pure.

The commonest providers, written down from general knowledge in 2026 and not checked one by one; see
docs/decisions/0009-conditions.md for why it is ours and short.
"""

from __future__ import annotations

# Providers that give out their name under many endings: yahoo.com, yahoo.co.uk, hotmail.fr.
_EVERYWHERE = frozenset({"gmx", "hotmail", "outlook", "rocketmail", "yahoo", "yandex", "ymail"})
_WRITTEN = """
    gmail.com googlemail.com icloud.com me.com mac.com aol.com aim.com msn.com live.com passport.com
    proton.me protonmail.com protonmail.ch pm.me tutanota.com tuta.com tuta.io tutamail.com keemail.me
    zoho.com zohomail.com mail.com email.com usa.com fastmail.com fastmail.fm hushmail.com hey.com
    inbox.com mailfence.com posteo.de mailbox.org disroot.org riseup.net startmail.com runbox.com
    live.be live.ca live.cl live.co.uk live.com.ar live.com.au live.com.mx live.com.pt live.de live.dk
    live.fr live.it live.nl live.no live.se windowslive.com
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net
    btinternet.com btopenworld.com sky.com talktalk.net virginmedia.com ntlworld.com blueyonder.co.uk
    web.de t-online.de freenet.de arcor.de 1und1.de bluewin.ch chello.at aon.at
    orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr club-internet.fr
    libero.it virgilio.it alice.it tin.it tiscali.it email.it telefonica.net terra.es sapo.pt
    ziggo.nl kpnmail.nl home.nl planet.nl hetnet.nl xs4all.nl skynet.be telenet.be
    wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz email.cz atlas.cz azet.sk abv.bg
    freemail.hu citromail.hu
    mail.ru bk.ru inbox.ru list.ru internet.ru ya.ru rambler.ru ukr.net i.ua meta.ua
    uol.com.br bol.com.br terra.com.br ig.com.br globo.com globomail.com r7.com zipmail.com.br oi.com.br
    superig.com.br prodigy.net.mx
    rediffmail.com indiatimes.com sify.com naver.com daum.net hanmail.net nate.com docomo.ne.jp
    ezweb.ne.jp softbank.ne.jp nifty.com qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn
    sohu.com 139.com 189.cn bigpond.com optusnet.com.au xtra.co.nz webmail.co.za mweb.co.za
"""
_DOMAINS = frozenset(_WRITTEN.split())


def is_free(domain: str) -> bool:
    """Whether anybody can have an address there. `domain` in lower case."""
    return domain in _DOMAINS or (domain.partition(".")[0] in _EVERYWHERE and domain.count(".") in (1, 2))
