"""Where jobs come from: work templates and the jobs cut from them."""
