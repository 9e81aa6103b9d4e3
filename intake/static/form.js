"use strict"; // what the page does with a script is added here
