(function (form) { "use strict"; })(/*FORM*/ null);
