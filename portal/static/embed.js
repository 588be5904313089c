// Opens the embedded dashboards of a page. Tokens come from our own server; the frame gets its address from it too.
"use strict";

async function open(place) {
  const narrow = matchMedia("(max-width: 48rem)").matches;
  const ask = async () => {
    const answer = await fetch(`/api/embed/${place.dataset.slug}?narrow=${narrow}`, {
      method: "POST",
      headers: { "X-Form-Token": place.dataset.formToken },
    });
    if (!answer.ok) throw new Error(`embed: ${answer.status}`);
    return answer.json();
  };
  const state = place.querySelector(".embed-state");
  try {
    const first = await ask();
    let unused = first.token;
    const mount = document.createElement("div");
    mount.className = "embed-mount";
    place.append(mount);
    const dashboard = await supersetEmbeddedSdk.embedDashboard({
      id: first.embedded_uuid,
      supersetDomain: first.superset_domain,
      mountPoint: mount,
      iframeTitle: place.dataset.title,
      referrerPolicy: "strict-origin-when-cross-origin",
      dashboardUiConfig: { hideTitle: true, hideTab: true, filters: { visible: true, expanded: false } },
      fetchGuestToken: async () => {
        const token = unused ?? (await ask()).token;
        unused = null;
        return token;
      },
    });
    state.remove();
    // The frame cannot grow by itself: ask now and then how tall the dashboard is (tabs differ). Small differences are
    // left alone: the dashboard measures itself against its frame and would creep. For the same reason it never reports
    // less than its frame: when another tab is opened, the frame first falls back to the height it began with.
    let known = 0;
    let tab = "";
    setInterval(async () => {
      if (document.hidden) return;
      const opened = String(await dashboard.getActiveTabs());
      if (opened !== tab) {
        if (tab) mount.style.removeProperty("--embed-height");
        tab = opened;
        known = 0;
        return;
      }
      const { height } = await dashboard.getScrollSize();
      if (height < 200 || Math.abs(height - known) < 40) return;
      known = height;
      mount.style.setProperty("--embed-height", `${height}px`);
    }, 1000);
  } catch (error) {
    state.textContent = place.dataset.failed;
    state.classList.add("notice", "warn");
    place.querySelector(".embed-mount")?.remove();
  }
}

document.querySelectorAll(".embed").forEach(open);
