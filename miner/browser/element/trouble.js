// Why a file or the worker could not be had: told apart by asking the site itself.

/** @typedef {"offline" | "unreachable" | "updated" | "blocked" | "worker"} Trouble */

/**
 * offline, unreachable: the site does not answer. updated: the site has other files by now, so the page has to be loaded again.
 * blocked: the site answers, and something in this browser keeps our file away. worker: all files are there, and yet it fails.
 *
 * @param {URL} file what failed to load @param {string} service
 * @returns {Promise<Trouble>}
 */
export async function diagnose(file, service) {
  if (!navigator.onLine) return "offline";
  const answer = await status(file.href);
  if (answer === null) return (await status(service)) === null ? "unreachable" : "blocked";
  if (answer === 404 || answer === 410) return "updated";
  return answer >= 500 ? "unreachable" : "worker";
}

/** The status of `url`; null without an answer. @param {string} url */
async function status(url) {
  try {
    return (await fetch(url, { cache: "no-store", credentials: "omit" })).status;
  } catch {
    return null;
  }
}
