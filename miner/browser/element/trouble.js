// Why a file or the worker could not be had: told apart by asking the site itself.

/**
 * "offline", "unreachable": the site does not answer. "updated": it has other files by now, load the page again.
 * "blocked": it answers, and something in this browser keeps our file away. "worker": the file is there, and yet it
 * fails.
 * @param {string} file what failed to load @param {string} service
 */
export async function diagnose(file, service) {
  if (!navigator.onLine) return "offline";
  const answer = await status(file);
  if (!answer) return (await status(service)) ? "blocked" : "unreachable";
  return answer === 404 ? "updated" : answer >= 500 ? "unreachable" : "worker";
}

/** 0 without an answer. @param {string} url */
async function status(url) {
  try {
    return (await fetch(url, { cache: "no-store" })).status;
  } catch {
    return 0;
  }
}
