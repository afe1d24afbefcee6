"""Ce que les scripts d'entraînement partagent : données, appareils, points de contrôle, courbes, boucle, réseaux."""
