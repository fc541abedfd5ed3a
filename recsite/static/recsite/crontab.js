// The form of a periodic task says in words what the chosen crontab means.
const meanings = JSON.parse(document.getElementById("readable-crontabs").textContent);
const select = document.getElementById("id_crontab");
const row = document.querySelector(".field-crontab_translation");
if (row) row.hidden = true;
if (select) {
  const said = document.createElement("p");
  select.closest(".field-crontab, div").append(said);
  const say = () => { said.textContent = meanings[select.value] ?? ""; };
  select.addEventListener("change", say);
  say();
}
