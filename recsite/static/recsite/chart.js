/**
 * Draws the lines of <canvas data-chart="ID">: ID is a script element with JSON as recsite/backoffice/trends.py makes
 * it. Chart.js (MIT) comes with Unfold. Colours are those of the page, and follow its theme; the same figures stand in
 * a table beside the picture, for whoever does not see it.
 */
(() => {

  function draw(canvas) {
    const data = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const dark = document.documentElement.classList.contains('dark');
    const style = dark
      ? { now: '#5eead4', before: '#a1a1aa', grid: 'rgba(255,255,255,.12)', text: '#d4d4d8' }
      : { now: '#0f766e', before: '#71717a', grid: 'rgba(0,0,0,.1)', text: '#3f3f46' };
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    return new Chart(canvas, {
      type: 'line',
      data: {
        labels: data.labels,
        datasets: [
          {
            label: data.now_words,
            data: data.now,
            borderColor: style.now,
            backgroundColor: style.now,
            borderWidth: 2.5,
            pointRadius: 2.5,
            tension: 0.25,
          },
          {
            label: data.before_words,
            data: data.before,
            borderColor: style.before,
            backgroundColor: style.before,
            borderWidth: 1.5,
            borderDash: [5, 4],
            pointRadius: 0,
            tension: 0.25,
          },
        ],
      },
      options: {
        animation: still ? false : { duration: 250 },
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: 'index', intersect: false },
        plugins: {
          legend: { labels: { color: style.text, boxWidth: 18, boxHeight: 2 } },
          tooltip: {
            callbacks: {
              title: (points) => data.labels[points[0].dataIndex],
              footer: (points) => data.labels_before[points[0].dataIndex] ?? '',
            },
          },
        },
        scales: {
          x: { ticks: { color: style.text, maxRotation: 0, autoSkipPadding: 12 }, grid: { display: false } },
          y: { beginAtZero: true, ticks: { color: style.text, maxTicksLimit: 6 }, grid: { color: style.grid } },
        },
      },
    });
  }

  function begin() {
    if (!globalThis.Chart) return;
    for (const canvas of document.querySelectorAll('canvas[data-chart]')) {
      let chart = draw(canvas);
      new MutationObserver(() => {
        chart.destroy();
        chart = draw(canvas);
      }).observe(document.documentElement, { attributes: true, attributeFilter: ['class'] });
    }
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
})();
