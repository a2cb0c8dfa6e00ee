// Follows a build's log. Without JavaScript the page shows the log as far as it was when it was loaded.
"use strict";
(() => {
  const log = document.getElementById("log");
  if (!log || !log.dataset.events) return;
  const status = document.getElementById("log-status");
  const events = new EventSource(log.dataset.events + "?after=" + log.dataset.last);
  let atEnd = true;
  log.addEventListener("scroll", () => { atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8; });
  log.scrollTop = log.scrollHeight;
  events.addEventListener("line", (e) => {
    const line = JSON.parse(e.data);
    log.append((line.stage ? line.stage.padEnd(9) + " " : "") + line.text + "\n"); // text, never HTML
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  events.addEventListener("end", () => {
    events.close();
    location.reload(); // findings and reports are there now
  });
  events.onopen = () => { status.textContent = "live"; };
  events.onerror = () => { status.textContent = "the connection broke; trying again"; };
})();
