# SPDX-License-Identifier: MIT
# make install [PREFIX=/usr/local] [DESTDIR=]: headers, the hosted static library, loam.pc.
#
# loam/port.h asks for loam_port.h on the include path; the hosted one is installed in
# include/loam/hosted, where loam.pc points. A kernel puts its own folder there instead.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: install
install: build/host/libloam.a ## headers, libloam.a and loam.pc, below DESTDIR and PREFIX
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(DESTDIR)$(PREFIX)/include/loam/hosted $(DESTDIR)$(PREFIX)/lib/pkgconfig
	$(Q)install -m 644 include/loam/*.h $(DESTDIR)$(PREFIX)/include/loam
	$(Q)install -m 644 port/hosted/*.h $(DESTDIR)$(PREFIX)/include/loam/hosted
	$(Q)install -m 644 $< $(DESTDIR)$(PREFIX)/lib
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' mk/loam.pc.in \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/loam.pc

LONG_TESTS += test/house/consumers_long.sh
